"""Problem: what is wrong with a request, in the form that its client reads: problem+json (RFC 9457), or OpenAI's."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from index.errors import Error, InputError, ModelError, ReadError, StoreError
from index.run import Cancelled

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG = logging.getLogger("citewire.api")

UNEXPECTED = "Something unexpected happened here; the log of the server has what. The request was not carried out."


class Problem(Exception):  # noqa: N818 - the name of RFC 9457
    """A request that is not answered: an HTTP status, and in `detail` what is wrong and what mends it."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        retry_after_s: int | None = None,
        parameter: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`parameter` is the member of the request that is wrong."""
        super().__init__(detail)
        self.status = HTTPStatus(status)
        self.detail = detail
        self.parameter = parameter
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(retry_after_s)

    @classmethod
    def of(cls, error: BaseException) -> Problem:
        """What an error of Citewire is to a client. One that nobody expected is logged without its text, which may
        have words of questions or articles."""
        match error:
            case Problem():
                return error
            case InputError() | ReadError():
                return cls(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
            case Cancelled():
                return cls(HTTPStatus.CONFLICT, str(error))
            case ModelError() | StoreError():
                return cls(HTTPStatus.SERVICE_UNAVAILABLE, str(error), retry_after_s=30)
            case Error():
                return cls(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame is not None else "?"
        _LOG.error("a request failed unexpectedly: %s at %s", type(error).__name__, place)
        return cls(HTTPStatus.INTERNAL_SERVER_ERROR, UNEXPECTED)

    def to_dict(self) -> dict[str, Any]:
        """The members of problem+json."""
        known = {"type": "about:blank", "title": self.status.phrase, "status": int(self.status), "detail": self.detail}
        return known if self.parameter is None else {**known, "parameter": self.parameter}

    def to_openai(self) -> dict[str, Any]:
        """The same as OpenAI's clients read it."""
        kinds = {
            HTTPStatus.UNAUTHORIZED: "authentication_error",
            HTTPStatus.FORBIDDEN: "permission_error",
            HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
        }
        kind = kinds.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.detail, "type": kind, "param": self.parameter, "code": None}}

    def response(self, path: str) -> Response:
        """An HTTP response for a request to `path`."""
        if is_openai(path):
            # OpenAI has no 422: whatever is wrong with a request is a 400.
            status = HTTPStatus.BAD_REQUEST if self.status == HTTPStatus.UNPROCESSABLE_ENTITY else self.status
            return Response(encoded(self.to_openai()), status, self.headers, "application/json")
        return Response(encoded(self.to_dict()), self.status, self.headers, "application/problem+json")


def what_is_wrong(error: Mapping[str, Any]) -> str:
    """What pydantic finds wrong with a member, in words that say what to do, without what was sent."""
    kind, context = error["type"], error.get("ctx", {})
    match kind:
        case "missing":
            return "is needed"
        case "extra_forbidden":
            return "is not known here; leave it out, or look for its name in /openapi.json"
        case "none_required":
            return "cannot be used here; leave it out"
        case "too_long" if context.get("max_length") == 0:
            return "cannot be used here; leave it out"
        case "literal_error" if context.get("expected") in ("False", "0", "1"):
            return f"can only be {context['expected'].lower()} here; leave it out"
    return str(error["msg"]).removeprefix("Value error, ")


def is_openai(path: str) -> bool:
    """Whether OpenAI's clients ask there."""
    return path == "/v1" or path.startswith("/v1/")


def encoded(value: object) -> bytes:
    """JSON in UTF-8; what is no character becomes "?"."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def answered(value: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(encoded(value), status, dict(headers or {}), "application/json")
