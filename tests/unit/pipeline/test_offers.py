from __future__ import annotations

from datetime import timedelta

import pytest

from aws_auto.errors import ConfigError, UsageError
from aws_auto.pipeline.offers import read

YAML = """\
offers:
  - name: a plan
    discount: 27%
    term: 1y
    source: our account manager, 2026-10-01
  - name: another
    discount: 35 %
    term: 3y
    source: the same
    region: eu-west-1
    family: m5
"""


def written(tmp_path, text, name="offers.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_offers_are_read_from_yaml_with_where_they_hold(tmp_path):
    first, second = read(written(tmp_path, YAML))
    assert (first.name, first.discount, first.term, first.region) == ("a plan", 0.27, timedelta(days=365), None)
    assert (second.discount, second.term, second.region, second.family) == (
        0.35,
        timedelta(days=1095),
        "eu-west-1",
        "m5",
    )
    assert first.source == "our account manager, 2026-10-01"


def test_offers_are_read_from_csv_and_an_empty_cell_is_left_out(tmp_path):
    text = "name,discount,term,source,region,family\na plan,27%,1y,a quote,,\nanother,35%,3y,a quote,eu-west-1,m5\n"
    first, second = read(written(tmp_path, text, "offers.csv"))
    assert (first.discount, first.region, second.family) == (0.27, None, "m5")


def test_a_kind_says_what_can_be_returned_and_what_is_bought_by_the_instance(tmp_path):
    text = YAML.replace("    term: 1y\n", "    term: 1y\n    kind: savings-plan\n") + "    kind: reservation\n"
    first, second = read(written(tmp_path, text))
    assert (first.returnable, first.reservation) == (True, False)
    assert (second.returnable, second.reservation) == (False, True)
    assert not any(one.returnable for one in read(written(tmp_path, YAML)))
    with pytest.raises(ConfigError, match="no kind of an offer; there are savings-plan and reservation"):
        read(written(tmp_path, YAML + "    kind: lease\n"))
    with pytest.raises(ConfigError, match="a reservation needs its region and its family"):
        read(written(tmp_path, text.replace("    family: m5\n", "")))


def test_every_fault_is_told_with_its_line(tmp_path):
    text = YAML.replace("discount: 27%", "discount: 0.27").replace("    term: 3y\n", "").replace("family", "famly")
    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, text))
    said = [(one.line, one.message) for one in caught.value.problems]
    assert [line for line, _ in said] == [2, 6, 6]
    assert "could mean 0.27% or 27%" in said[0][1]
    assert {text for _, text in said[1:]} >= {"term is missing"}
    assert any("'famly' is no word of an offer" in text for _, text in said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("offers: []\n", "there is no offer"),
        ("others: 1\n", "there is no offer"),
        ("offers:\n  - one\n", "is not a mapping"),
        (YAML.replace("27%", "100%"), "between 0 and 1"),
        ("a: b: c\n", "colon"),
    ],
)
def test_what_is_no_list_of_offers_is_refused(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        read(written(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "nothing.yaml")
