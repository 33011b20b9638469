"""Whatever stands in a file, the answer is a document or located problems: ten thousand cases, never a traceback."""

import re
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aws_auto.config import document, templates
from aws_auto.config.units import Condition, Duration, Percent, S3Uri, Schedule, Threshold, UnitError
from aws_auto.errors import ConfigError

COMPLETE = templates.template("pipelines/complete")
TRAPS = (
    "on",
    "0123",
    "1e3",
    "12:30",
    "~",
    "!!int 3",
    "*x",
    "&x ",
    "<<",
    "{",
    "]",
    "'",
    '"',
    "\t",
    "- ",
    ": ",
    "|",
    "%",
    "@",
)
LOCATED = re.compile(r"t\.yaml:(\d+):(\d+): .+: .+", re.DOTALL)
#: Words that only pydantic or Python would say.
FOREIGN = ("Input should", "Value error", "validation error", "Traceback", "function-", "pydantic", "object at 0x")


def cases(number):
    return settings(
        max_examples=number,
        deadline=timedelta(seconds=5),
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


def refusal(call, kind):
    try:
        call()
    except kind as error:
        return error
    return None


def survives(content):
    """Load it; when it is refused, every problem must be located inside the text and speak plainly."""
    error = refusal(lambda: document.loads(content, "t.yaml"), ConfigError)
    if error is None:
        return
    text = content if isinstance(content, str) else content.decode(errors="replace")
    lines = len(re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text))
    assert error.problems
    assert list(error.problems) == sorted(error.problems, key=lambda p: (p.line, p.column, p.path, p.message))
    for problem in error.problems:
        assert LOCATED.fullmatch(str(problem))
        assert 1 <= problem.line <= lines
        assert not any(word in problem.message for word in FOREIGN), problem
        str(problem).encode()


@cases(3000)
@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=120))
def test_printable_garbage_gives_located_problems(text):
    survives(text)


@cases(1500)
@given(st.text(max_size=80) | st.binary(max_size=80))
def test_unprintable_garbage_gives_located_problems(content):
    survives(content)


@cases(2500)
@given(
    st.lists(st.sampled_from([*TRAPS, "models:", "name: a", "type: lambda", "\n", "\n  ", "ml_model_deployment:", " "]))
)
def test_pieces_of_yaml_in_any_order_give_located_problems(pieces):
    survives("".join(pieces))


@cases(500)
@given(st.integers(0, len(COMPLETE)), st.integers(0, 12), st.sampled_from(TRAPS) | st.text(max_size=6))
def test_a_complete_document_with_a_piece_knocked_out_gives_located_problems(start, length, piece):
    survives(COMPLETE[:start] + piece + COMPLETE[start + length :])


KEYS = sorted(set(re.findall(r"^\s*(?:- )?(\w+):", COMPLETE, re.MULTILINE)))
VALUES = sorted(set(re.findall(r": ([^#\n]+?)\s*(?:#.*)?$", COMPLETE, re.MULTILINE)))
SCALARS = (
    st.sampled_from([*VALUES, *TRAPS]) | st.integers().map(str) | st.floats().map(str) | st.text(max_size=5).map(repr)
)
NESTED = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda v: f"[{', '.join(v)}]")
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3).map(
            lambda d: "{" + ", ".join(f"{k}: {v}" for k, v in d.items()) + "}"
        )
    ),
    max_leaves=8,
)


@cases(1500)
@given(st.dictionaries(st.sampled_from(list(document.Document.model_fields)), NESTED, max_size=3))
def test_known_keys_in_the_wrong_places_give_located_problems(top):
    survives("\n".join(f"{key}: {value}" for key, value in top.items()))


@cases(1000)
@given(
    st.sampled_from(
        [Duration.parse, Percent.parse, Percent.share, Threshold.parse, S3Uri.parse, Schedule.parse, Condition.parse]
    ),
    st.text(max_size=40)
    | st.text(alphabet="0123456789 */,-?LW#<>=.%abdforsmhy()", max_size=30)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none(),
)
def test_a_unit_is_read_or_refused_with_a_sentence_and_writes_itself_back(parse, value):
    error = refusal(lambda: parse(value), UnitError)
    if error is None:
        parsed = parse(value)
        assert parse(str(parsed)) == parsed
    else:
        assert error.message
        assert len(error.message) < 400
