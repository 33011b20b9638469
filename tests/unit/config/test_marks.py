"""YAML text to data with marks: traps, limits, broken files."""

import pytest

from aws_auto.config.marks import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, MAX_VALUES, Mark, read


def said(content):
    return [str(p) for p in read(content, "t.yaml").problems]


def only(content):
    (sentence,) = said(content)
    return sentence


def test_every_value_remembers_its_key_or_its_list_entry():
    marked = read("a:\n  b: 1\n  c:\n    - x\n    - d: true\n", "t.yaml")
    assert marked.problems == []
    assert marked.data == {"a": {"b": 1, "c": ("x", {"d": True})}}
    assert marked.mark(("a", "b")) == Mark("t.yaml", 2, 3)
    assert str(marked.mark(("a", "c", 1, "d"))) == "t.yaml:5:7"
    assert str(marked.mark(("a", "c", 0))) == "t.yaml:4:7"
    assert str(marked.mark(("a", "c", 0, "missing"))) == "t.yaml:4:7"


def test_quoted_text_is_text_whatever_it_looks_like():
    marked = read("a: \"on\"\nb: '0123'\nc: \"12:30\"\nd: '1e3'\ne: \"\"\nf: 'null'", "t.yaml")
    assert marked.problems == []
    assert marked.data == {"a": "on", "b": "0123", "c": "12:30", "d": "1e3", "e": "", "f": "null"}


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("-7", -7), ("1.50", 1.5), ("1.0e+3", 1000.0), ("TRUE", True), ("a b", "a b")]
)
def test_plain_scalars_without_a_trap_are_what_they_look_like(text, value):
    assert read(f"a: {text}", "t.yaml").data == {"a": value}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("on", 'YAML reads on as true; write true, or quote it when it is text: "on"'),
        ("No", 'YAML reads No as false; write false, or quote it when it is text: "No"'),
        ("0123", 'YAML reads 0123 as 83 (octal); write 123 or 83, or quote it when it is text: "0123"'),
        ("089", 'YAML reads 089 as text because of its leading zero; write 89, or quote it: "089"'),
        ("0x1F", 'YAML reads 0x1F as 31 (hexadecimal); write 31, or quote it when it is text: "0x1F"'),
        ("0b101", 'YAML reads 0b101 as 5 (binary); write 5, or quote it when it is text: "0b101"'),
        (
            "1_000",
            'YAML reads 1_000 as 1000 (underscores are dropped); write 1000, or quote it when it is text: "1_000"',
        ),
        ("12:30", 'YAML reads 12:30 as 750 (base 60); write 750, or quote it when it is text: "12:30"'),
        ("-12:30", 'YAML reads -12:30 as -750 (base 60); write -750, or quote it when it is text: "-12:30"'),
        ("12:30.5", 'YAML reads 12:30.5 as a number in base 60 or with underscores; quote it: "12:30.5"'),
        ("1e3", 'YAML reads 1e3 as text, not as 1000; write the number out, or quote it: "1e3"'),
        ("2024-01-01", 'YAML reads 2024-01-01 as a date; quote it: "2024-01-01"'),
        (".inf", ".inf is not a finite number; write one"),
        (".NaN", ".NaN is not a finite number; write one"),
        ("1.0e+308", "1.0e+308 is too large for a number"),
        ("9" * 30, "is too long for a number; quote it when it is text"),
        ("1." + "9" * 50, "is too long for a number; quote it when it is text"),
        ("~", "has no value; write one, or remove the line"),
        ("", "has no value; write one, or remove the line"),
        ('"\\ud800"', "holds half of a surrogate pair, which is no text; write the character itself"),
    ],
)
def test_a_trap_of_yaml_is_said_with_what_yaml_reads_and_what_to_write(text, sentence):
    assert only(f"x: 1\na: {text}") == f"t.yaml:2:1: a: {sentence}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a: 1\nb: 2\na: 3", "t.yaml:3:1: a: this key stands here a second time (first in line 1)"),
        ("a: {on: 1}", 't.yaml:1:5: a: as a key: YAML reads on as true; write true, or quote it when it is text: "on"'),
        ("3: 4", "t.yaml:1:1: document: as a key: 3 is not text; quote it"),
        ("? [a]\n: b", "t.yaml:1:3: document: a key must be plain text, not a list or a mapping"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "t.yaml:3:3: c: merge keys (<<) are not read; use an alias for the whole value"),
        ("a: !!python/name:os.system x", "t.yaml:1:4: document: tags (!) are not used in this file; remove it"),
        ("a:\n\t- b", "t.yaml:2:1: document: a tab stands where YAML wants spaces; indent with spaces"),
        ("", "t.yaml:1:1: document: the file is empty; start from one that aws-auto ml template prints"),
        (
            "# only a comment\n",
            "t.yaml:1:1: document: the file is empty; start from one that aws-auto ml template prints",
        ),
        ("- b", "t.yaml:1:1: document: the top level is not a mapping of keys to values, such as model_monitoring:"),
        ("a: 1\n---\nb: 2", "t.yaml:2:1: document: a second document begins here (---); put it into a file of its own"),
        ("\ufeffa: 1", "t.yaml:1:1: document: the file starts with a byte order mark; save it as UTF-8 without BOM"),
        (b"\xff\xfea\x00", "t.yaml:1:1: document: the file is UTF-16; save it as UTF-8"),
        (b"a: 1\nb: \xe9", "t.yaml:2:4: document: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        ("a: 1\nb: \x07", "t.yaml:2:4: document: the character U+0007 is not allowed in YAML"),
        ("a: b: c", "t.yaml:1:5: document: a colon is not allowed here; quote the text, or correct the indentation"),
        ("x: *a", "t.yaml:1:4: document: this alias (*) has no anchor (&) above it"),
        ("a: %b", "t.yaml:1:4: document: plain text cannot begin with this character; quote the text"),
        ("a: [1, 2", "t.yaml:1:9: document: a comma or a closing bracket is missing"),
        ("a: 'x", "t.yaml:1:6: document: a quoted text is not closed, or holds an unknown escape"),
        ('a: "\\UFFFFFFFF"', "t.yaml:1:7: document: an escape in a quoted text names no character"),
    ],
)
def test_a_broken_file_is_a_located_sentence(content, sentence):
    assert only(content) == sentence


def test_windows_line_ends_do_not_move_the_lines():
    assert str(read(b"a: 1\r\nb: 2\r\n", "t.yaml").mark(("b",))) == "t.yaml:2:1"


def test_a_file_without_limits_is_refused():
    assert "larger than 256 KiB" in only("a: " + "x" * MAX_BYTES)
    assert f"deeper than {MAX_DEPTH} levels" in only("[" * 5000)
    assert f"more than {MAX_VALUES} values" in only("a: [" + "1," * MAX_VALUES + "1]")
    assert f"more than {MAX_ALIASES} aliases" in only("a: &x 1\nb: [" + "*x," * 200 + "]")


def test_an_alias_bomb_stops_at_the_first_thousands():
    tens = "".join(f"x{i}: &x{i} [{','.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 9))
    assert "are aliases (*) multiplying them?" in only(f"x0: &x0 1\n{tens}")


def test_an_alias_that_holds_itself_is_refused():
    assert "does an alias (*) hold itself?" in only("a: &x [*x]")


def test_a_plain_alias_repeats_a_value():
    assert read("a: &x {b: 1}\nc: *x", "t.yaml").data == {"a": {"b": 1}, "c": {"b": 1}}
