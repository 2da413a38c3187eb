from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.rpc import codec
from ingest.rpc.codec import Call, CallError, CallResult, Fault, FrameError
from ingest.rpc.fields import PayloadFields


class _Sample(msgspec.Struct):
    value: Decimal


def test_a_call_is_read_with_its_payload_untouched() -> None:
    message = codec.parse(b'[2,"19","MeterValues",{"value": 1.10}]')

    assert isinstance(message, Call)
    assert (message.message_id, message.action) == (b'"19"', "MeterValues")
    assert bytes(message.payload) == b'{"value": 1.10}'


@pytest.mark.parametrize(
    ("frame", "is_so"),
    [
        (b'[6,"1","A",{}]', True),
        (b' [ "5" , "1"]', True),
        (b'[6,"1","A",{', True),
        (b"[6]", False),
        (b'[66,"1"]', False),
        (b'[2,"1","A",[6,1]]', False),
        (b'[4,"1"]', False),
    ],
)
def test_what_nobody_answers_is_known_by_its_beginning(frame: bytes, *, is_so: bool) -> None:
    assert codec.is_unanswered(frame) is is_so


def test_answers_of_stations_are_read() -> None:
    result = codec.parse(b'[3,"19",{"status":"Accepted"}]')
    error = codec.parse(b'[4,"19","GenericError","no",{}]')
    short = codec.parse(b'[4,"19","GenericError"]')

    assert isinstance(result, CallResult)
    assert bytes(result.payload) == b'{"status":"Accepted"}'
    assert error == CallError(b'"19"', "GenericError", "no")
    assert short == CallError(b'"19"', "GenericError", "")


@pytest.mark.parametrize(
    "number", ["0.30", "123456789012345678.123456789", "604.213", "500.37957763671875", "1E+2"]
)
def test_a_number_keeps_every_digit(number: str) -> None:
    as_number = codec.decode(f'{{"value":{number}}}'.encode(), _Sample)
    as_text = codec.decode(f'{{"value":"{number}"}}'.encode(), _Sample)

    assert as_number.value.as_tuple() == as_text.value.as_tuple() == Decimal(number).as_tuple()


def test_money_leaves_with_all_its_decimals() -> None:
    assert codec.encode({"totalCost": Decimal("3.456")}) == b'{"totalCost":3.456}'


def test_a_payload_of_another_type_says_where() -> None:
    with pytest.raises(codec.PayloadError, match=r"\$.value"):
        codec.decode(b'{"value":[]}', _Sample)


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        pytest.param(b"[" * 100_000, Fault.TOO_DEEP, id="100,000 brackets"),
        pytest.param(b'[2,"1","A",' + b"[" * 25 + b"]" * 25 + b"]", Fault.TOO_DEEP, id="deep"),
        pytest.param(b"[" + b"1" * 401 + b"]", Fault.NUMBER_TOO_LONG, id="401 digits"),
        pytest.param(b"[1" + b"e1" * 200 + b"]", Fault.NUMBER_TOO_LONG, id="digits and signs"),
        pytest.param(b" " * (codec.FRAME_MAX + 1), Fault.TOO_LARGE, id="over a mebibyte"),
        pytest.param(b"", Fault.NOT_JSON, id="nothing"),
        pytest.param(b'[2,"1","A",{}', Fault.NOT_JSON, id="cut off"),
        pytest.param(b'"2"', Fault.NOT_RPC, id="no array"),
        pytest.param(b"[]", Fault.NOT_RPC, id="an empty array"),
        pytest.param(b'[2,{},"A",{}]', Fault.NOT_RPC, id="an id that is an object"),
        pytest.param(b'["x","1","A",{}]', Fault.UNKNOWN_TYPE, id="a type that is a word"),
        pytest.param(b'[7,"1","A",{}]', Fault.UNKNOWN_TYPE, id="a type of the future"),
    ],
)
def test_a_frame_beyond_a_limit_or_no_message_is_named(frame: bytes, fault: Fault) -> None:
    with pytest.raises(FrameError) as refused:
        codec.parse(frame)

    assert refused.value.fault is fault


def test_brackets_and_digits_inside_text_are_no_structure() -> None:
    text = "[{" * 500 + "1" * 1500 + '\\"[['
    frame = codec.encode_call("1", "DataTransfer", {"data": text})

    message = codec.parse(frame)

    assert isinstance(message, Call)
    assert PayloadFields(message.payload).text("data") == text


def test_many_shallow_objects_are_no_deep_frame() -> None:
    samples = [{"value": str(number)} for number in range(5000)]
    message = codec.parse(codec.encode_call("1", "MeterValues", {"sampledValue": samples}))

    assert isinstance(message, Call)


def test_a_byte_order_mark_loses_no_reading() -> None:
    message = codec.parse('\ufeff[2,"1","MeterValues",{"a":7}]'.encode())

    assert isinstance(message, codec.Call)
    assert message.action == "MeterValues"
    with pytest.raises(codec.FrameError) as refused:
        codec.parse('\ufeff[2,"1","MeterValues"'.encode())
    assert refused.value.message_id == b'"1"'


def test_bare_nan_and_a_trailing_nul_lose_no_reading() -> None:
    message = codec.parse(b'[2,"1","MeterValues",{"a":NaN,"b":-Infinity,"c":"NaN","d":7}]\0\n')

    assert isinstance(message, Call)
    assert json.loads(bytes(message.payload)) == {"a": None, "b": None, "c": "NaN", "d": 7}


def test_a_type_that_is_text_and_blanks_around_the_action_lose_no_reading() -> None:
    assert codec.parse(b'["2","1"," MeterValues ",{}]') == codec.parse(b'[2,"1","MeterValues",{}]')


def test_text_that_is_not_utf_8_is_kept_byte_for_byte() -> None:
    raw = '[2,"1","DataTransfer",{"data":"S\xfcd"}]'.encode("latin-1")

    assert codec.text_of(raw).encode("latin-1") == raw


def test_an_error_repeats_nothing_but_the_id() -> None:
    frame = codec.encode_error(b'"7"', "FormationViolation", "the frame is not JSON")

    assert frame == b'[4,"7","FormationViolation","the frame is not JSON",{}]'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@given(st.text(), st.text(), st.dictionaries(st.text(), JSON))
def test_every_call_comes_back_as_it_was_sent(
    message_id: str, action: str, payload: dict[str, Any]
) -> None:
    message = codec.parse(codec.encode_call(message_id, action, payload))

    assert isinstance(message, Call)
    assert json.loads(message.message_id) == message_id
    assert message.action == action
    assert json.loads(bytes(message.payload)) == payload


@given(st.binary() | st.text().map(str.encode) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_input_does_worse_than_a_frame_error(frame: bytes) -> None:
    try:
        message = codec.parse(codec.text_of(frame).encode())
    except FrameError as error:
        json.loads(error.message_id)
    else:
        json.loads(message.message_id)


@given(JSON)
def test_fields_of_anything_raise_nothing(payload: Any) -> None:  # noqa: ANN401 - any JSON
    fields = PayloadFields(codec.encode({"a": payload}))

    assert fields.text("a") is None or isinstance(payload, str | int)
    assert fields.integer("a") is None or isinstance(payload, str | int)
    assert not fields.is_true("a") or payload in (True, "true", "True", "TRUE")
    assert fields.nested("a").text("b") is None or isinstance(payload, dict)
