"""heed-serve: serve models over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from heed.cli.command import Task
from heed.cli.entry import start
from heed.cli.terminal import print_harmless
from heed.errors import needs
from heed.serving.limits import Batching, Limits
from heed.serving.origins import check_origins
from heed.signals import Terminated
from heed.translator import Precision, Translator, load

Folders = str | list[str]


@dataclass(frozen=True)
class Settings:
    """The keys of configs/serve.yaml."""

    model: Folders | dict[str, Folders]
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    origins: list[str]
    limits: Limits
    batching: Batching
    device: str
    precision: Precision


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    with needs("serve"):
        from heed.serving.app import create_app  # noqa: PLC0415 - here, so that a missing extra is reported
        from heed.serving.server import address_of, listen, run  # noqa: PLC0415

    check_origins(settings.origins)
    listening = listen(settings.host, settings.port)
    translators = _loaded(settings)
    app = create_app(translators, settings.limits, settings.batching, settings.origins)
    address = address_of(listening)
    try:
        run(app, listening, settings.limits.seconds, lambda: print_harmless(_greeting(translators, address)))
    except (KeyboardInterrupt, Terminated):
        print("stopped after answering all running requests", flush=True)


def _loaded(settings: Settings) -> dict[str, Translator]:
    given = settings.model
    if not isinstance(given, Mapping):
        first = given if isinstance(given, str) else next(iter(given), "")
        given = {_name_of(first): given}
    translators = {name: load(folders, settings.device, settings.precision) for name, folders in given.items()}
    for translator in translators.values():
        translator.translate("a")  # so that the first request is not slower than the others
    return translators


def _name_of(folder: str) -> str:
    from heed.serving.models import name_of  # noqa: PLC0415

    return name_of(folder)


def _greeting(translators: Mapping[str, Translator], address: str) -> str:
    names = ", ".join(f"{name} ({model.src_lang}-{model.tgt_lang})" for name, model in translators.items())
    return f"serving {names} at {address}"


task = Task(serve, Settings)

if __name__ == "__main__":
    start("serve")
