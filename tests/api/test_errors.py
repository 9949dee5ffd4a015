"""The one mapper: every class of error, its status, type and headers; sentences about fields."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mullama import errors
from mullama.api.errors import (
    as_error,
    error_response,
    invalid,
    openai_body,
    path,
    retry_headers,
)
from mullama.errors import MullamaError


def test_every_class_has_openais_word() -> None:
    expected = {
        errors.InvalidRequest: (400, "invalid_request_error"),
        errors.ContextLengthExceeded: (400, "invalid_request_error"),
        errors.Unauthorized: (401, "invalid_request_error"),
        errors.Forbidden: (403, "permission_error"),
        errors.NotFound: (404, "invalid_request_error"),
        errors.Conflict: (409, "invalid_request_error"),
        errors.RateLimited: (429, "rate_limit_error"),
        errors.Overloaded: (503, "server_error"),
        errors.ModelError: (500, "server_error"),
        errors.InternalError: (500, "server_error"),
    }
    known = {one for one in vars(errors).values() if isinstance(one, type)}
    assert {one for one in known if issubclass(one, MullamaError)} == {*expected, MullamaError}
    for kind, (status, word) in expected.items():
        response = error_response(kind("x"))
        assert response.status_code == status
        assert json.loads(bytes(response.body))["error"]["type"] == word


def test_a_body_has_all_four_fields() -> None:
    error = errors.NotFound("No model 'x'.", code="model_not_found", param="model")
    assert json.loads(openai_body(error)) == {
        "error": {
            "message": "No model 'x'.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
    }


def test_headers_say_whether_and_when_to_try_again() -> None:
    assert retry_headers(errors.InvalidRequest("x")) == {"x-should-retry": "false"}
    assert retry_headers(errors.Overloaded("x", retry_after=1.5)) == {
        "x-should-retry": "true",
        "retry-after": "2",
        "retry-after-ms": "1500",
    }
    assert retry_headers(errors.RateLimited("x"))["retry-after"] == "1"
    again = retry_headers(errors.ModelError("It starts again.", retry_after=3))
    assert (again["retry-after"], again["x-should-retry"]) == ("3", "true")


def test_an_internal_error_of_a_worker_tells_no_details() -> None:
    shown = as_error(errors.InternalError("secret"), "id-7")
    assert "secret" not in shown.message
    assert "id-7" in shown.message


def test_a_known_error_is_shown_as_it_is() -> None:
    error = errors.ModelError("The file is damaged.")
    assert as_error(error, "id-7") is error


@pytest.mark.parametrize(
    ("loc", "text"),
    [
        ((), None),
        (("stop",), "stop"),
        (("stop", "#texts", 1), "stop[1]"),
        (("messages", 0, "content", "#parts", 2, "text"), "messages[0].content[2].text"),
    ],
)
def test_a_path_is_written_as_a_client_would(loc: tuple[int | str, ...], text: str | None) -> None:
    assert path(loc) == text


class Example(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    number: float = 0
    whole: int = Field(0, ge=0, le=10)
    switch: bool = False
    words: list[str] = Field([], max_length=3)
    map: dict[str, int] = {}
    other: None = None


def sentence(body: str) -> str:
    with pytest.raises(ValidationError) as caught:
        Example.model_validate_json(body)
    return invalid(caught.value).message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"number": "x"}', 'number must be a number, not "x".'),
        ('{"number": 1e999}', "number must be a finite number, not inf."),
        ('{"whole": 1.5}', "whole must be an integer, not 1.5."),
        ('{"whole": -1}', "whole must be at least 0, not -1."),
        ('{"whole": 11}', "whole must be at most 10, not 11."),
        ('{"switch": 1}', "switch must be true or false, not 1."),
        ('{"words": {}}', "words must be a list, not an object."),
        ('{"words": ["a", "b", "c", "d"]}', "words has too many items; the most is 3."),
        ('{"words": [null]}', "words[0] must be a string, not null."),
        ('{"map": []}', "map must be an object, not a list."),
        ('{"other": 1}', "other is wrong: Input should be null."),
        ('"' + "x" * 100 + '"', f'The body must be an object, not "{"x" * 39}….'),
        ('{"whole": "x", "switch": 1, "number": []}', "(2 more fields are wrong.)"),
        ("{", "The body is not JSON: EOF while parsing an object at line 1 column 1."),
        ("", "The body is not JSON: EOF while parsing a value at line 1 column 0."),
    ],
)
def test_validation_errors_are_sentences(body: str, message: str) -> None:
    assert message in sentence(body)
