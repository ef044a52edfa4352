"""The OpenAPI document describes the server, as checked by schemathesis."""

import subprocess
import sys

import pytest

from tests.support.server import Server

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection"
)


@pytest.mark.slow
def test_the_document_describes_the_server(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Catches a status, a body or an error of the server that is not in the document.

    Requests that the schema allows may still be refused, for example if n_best is larger than beam_size.
    """
    pytest.importorskip("schemathesis")
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{server.port}/openapi.json"]
    options = ["--checks", CHECKS, "--max-examples", "30", "--seed", "1", "--no-color"]
    folder = tmp_path_factory.mktemp("schemathesis")
    ended = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr[-2000:]
