"""The API under /api/v1."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from worker.console.errors import told

router = APIRouter(prefix="/api/v1")


def answer_error(_request: Request, error: Exception) -> Response:
    """The one shape of errors."""
    status, sentence, _ = told(error)
    return JSONResponse({"error": {"message": sentence}}, status.value)
