"""What every ledger must do."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from aws_auto.errors import UsageError
from aws_auto.ml.cost.findings import Money
from aws_auto.ml.cost.ledger import LedgerEntry


@pytest.fixture
def entry(clock):
    return LedgerEntry(
        id="idle-1",
        kind="idle",
        resources=("vol-1", "vol-2"),
        account=None,
        region="us-east-1",
        service="EBS volume",
        what="delete 2 times EBS volume",
        predicted=Money(expected=10.0, low=5.0, high=12.0, currency="EUR"),
        trouble=0.25,
        command="aws ec2 delete-volume",
        rollback="aws ec2 create-volume",
        first_said=clock.now(),
        last_said=clock.now(),
        expires=clock.now() + timedelta(days=30),
    )


class TestLedger:
    def test_what_is_said_is_read_as_it_was_said_by_the_next_process(self, place, entry):
        place.ledger().say([entry])
        assert place.ledger().entries() == [entry]

    def test_said_again_it_is_fresh_and_keeps_the_day_on_which_it_was_first_said(self, place, entry, clock):
        place.ledger().say([entry])
        clock.sleep(86_400)
        dearer = replace(entry.predicted, expected=11.0)
        place.ledger().say([replace(entry, predicted=dearer, first_said=clock.now(), last_said=clock.now())])
        (found,) = place.ledger().entries()
        assert found.predicted.expected == 11.0
        assert (found.first_said, found.last_said) == (entry.first_said, clock.now())

    def test_what_nobody_decided_on_expires_with_its_evidence_and_is_open_again_on_newer_one(self, place, entry, clock):
        later = replace(entry, id="idle-2")
        place.ledger().say([entry, later])
        place.ledger().decide("idle-2", "accepted")
        assert [one.status for one in place.ledger().entries()] == ["open", "accepted"]
        clock.sleep(31 * 86_400)
        assert [one.status for one in place.ledger().entries()] == ["expired", "accepted"]
        place.ledger().say([replace(entry, expires=clock.now() + timedelta(days=30))])
        assert [one.status for one in place.ledger().entries()] == ["open", "accepted"]

    def test_what_was_decided_stays_as_it_was_decided_on(self, place, entry):
        place.ledger().say([entry])
        decided = place.ledger().decide("idle-1", "accepted")
        place.ledger().say([replace(entry, predicted=replace(entry.predicted, expected=99.0))])
        assert place.ledger().entries() == [decided]
        assert decided.predicted.expected == 10.0

    def test_the_last_decision_counts(self, place, entry, clock):
        place.ledger().say([entry])
        place.ledger().decide("idle-1", "rejected", because="a spare")
        clock.sleep(60)
        found = place.ledger().decide("idle-1", "applied", applied_on=date(2026, 3, 1))
        assert (found.status, found.applied_on, found.because) == ("applied", date(2026, 3, 1), "")
        assert found.decided_at == clock.now()

    def test_a_decision_on_nothing_is_refused(self, place):
        with pytest.raises(UsageError, match="'nothing' was recommended"):
            place.ledger().decide("nothing", "accepted")

    def test_one_faulty_entry_keeps_all_of_them_out(self, place, entry):
        faulty = replace(
            entry, id="idle-2", predicted=replace(entry.predicted, expected=float("inf")), trouble=object()
        )
        with pytest.raises(TypeError):
            place.ledger().say([entry, faulty])
        assert place.ledger().entries() == []
