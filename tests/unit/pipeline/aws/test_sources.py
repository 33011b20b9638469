from __future__ import annotations

import os

import numpy as np
import pytest

from aws_auto.errors import CredentialsError, UsageError
from aws_auto.pipeline.aws.sources import open_source
from fakes import FakeClock

NOBODY = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def test_without_credentials_the_error_says_how_to_go_on():
    with pytest.raises(CredentialsError, match="cloudwatch: no AWS credentials were found") as caught:
        open_source("cloudwatch", environ=NOBODY, clock=FakeClock(), rng=np.random.default_rng(0))
    assert "--target local --data-source sample" in caught.value.hint


def test_an_unknown_source_lists_those_there_are():
    with pytest.raises(UsageError, match="cloudwatch, cost-explorer, application-logs"):
        open_source("cloudwach", environ=NOBODY, clock=FakeClock(), rng=np.random.default_rng(0))
