"""Settings: flags over environment (KGQA_...) over a file (kgqa.toml) over defaults. Unknown ones are refused."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from graph_schema import ConfigError

PREFIX = "KGQA_"
DEFAULT_FILE = Path("kgqa.toml")

# Variables of this prefix that are read elsewhere: which settings file, and what the tests may do and use.
_NOT_SETTINGS = {"KGQA_CONFIG", "KGQA_DATA", "KGQA_METAQA", "KGQA_NO_DOCKER", "KGQA_NEO4J_IMAGE"}


class Settings(BaseSettings):
    """Every setting, its environment name being KGQA_ and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    store: str = Field("sqlite:///kgqa.db", description="URL of the graph store")
    user: str | None = Field(None, description="user name at the store")
    password: SecretStr | None = Field(None, description="password at the store")
    schema_file: Path | None = Field(None, description="schema of a database that somebody else modelled")
    timeout: float = Field(10.0, gt=0, description="seconds to wait for the store")
    encoder: str | None = Field(None, description="text encoder: a directory or a model's name")
    checkpoint: Path | None = Field(None, description="directory of a trained reader; one that ships if unset")
    any_schema: bool = Field(False, description="use a checkpoint on a graph of another schema")
    device: str = Field("cpu", description="where the network runs: cpu, cuda, cuda:1 ...")
    threads: int | None = Field(None, gt=0, description="CPU threads; torch's choice if unset")
    names: bool = Field(True, description="keep an index of names, to find what a question writes otherwise")
    budget_edges: int = Field(20_000, gt=0, description="facts one question may expand at one hop")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what was given and the environment; the file is merged in by ``load_settings``."""
        return init_settings, env_settings


def load_settings(flags: dict[str, Any], config: Path | None = None) -> Settings:
    """Settings from flags (None means: not given), the environment and a file.

    Args:
        flags: setting name to value. config: the file; None: KGQA_CONFIG, or kgqa.toml here if there is one.

    Raises:
        ConfigError: an unknown setting or a wrong value, all of them named; a file that isn't there or isn't TOML.
    """
    named = config or (Path(os.environ["KGQA_CONFIG"]) if os.environ.get("KGQA_CONFIG") else None)
    path = named or DEFAULT_FILE
    from_file: dict[str, Any] = {}
    if named or path.is_file():
        try:
            from_file = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise ConfigError(f"can't read the settings: {error.strerror}", where=str(path)) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"not valid TOML: {error}", where=str(path)) from error
    known = set(Settings.model_fields)
    wrong = [f"{path}: {key}" for key in from_file if key not in known]
    wrong += [
        name
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name not in _NOT_SETTINGS and name[len(PREFIX) :].lower() not in known
    ]
    if wrong:
        raise ConfigError(f"unknown settings: {', '.join(wrong)}", fix=f"Known are: {', '.join(sorted(known))}")
    environment = {key for key in known if PREFIX + key.upper() in os.environ}
    given = {key: value for key, value in flags.items() if value is not None}
    try:
        return Settings(**{**{k: v for k, v in from_file.items() if k not in environment}, **given})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors())
        raise ConfigError(faults, where="settings", fix="See docs/reference/settings.md") from error
