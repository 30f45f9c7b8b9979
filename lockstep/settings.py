"""Where a project keeps its things: environment variables over defaults.

Built in `main()`, in `create_app()` or by a store when Feast calls it, never on
import. Holds locations only, no behaviour.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from lockstep.errors import LockstepError

EMBEDDED_REDIS_PORT = 6390


class Settings(BaseSettings):
    """Locations of one project; every field can be set as `LOCKSTEP_<FIELD>`.

    `redis_url` is also read from the customary `REDIS_URL`. `mlflow_artifacts` is where new
    experiments of MLflow keep their files, such as s3://bucket/mlflow.
    """

    model_config = SettingsConfigDict(env_prefix="LOCKSTEP_", populate_by_name=True)

    project_dir: Path = Field(default_factory=lambda: find_project_dir(Path.cwd()))
    home: Path | None = None
    lake_uri: str | None = Field(default=None, validation_alias="LOCKSTEP_LAKE")
    redis_url: str = Field(
        default=f"redis://127.0.0.1:{EMBEDDED_REDIS_PORT}/0", validation_alias="REDIS_URL"
    )
    mlflow_uri: str | None = None
    mlflow_artifacts: str | None = None

    @property
    def home_dir(self) -> Path:
        """The folder that holds everything the embedded profile writes."""
        return self.project_dir / (self.home or ".lockstep")

    @property
    def lake(self) -> str:
        """The lake's URI: `LOCKSTEP_LAKE`, else a folder under the home."""
        if self.lake_uri and "://" in self.lake_uri:
            return self.lake_uri
        return str(self.project_dir / (self.lake_uri or self.home_dir / "lake"))

    @property
    def feature_repo_dir(self) -> Path:
        """The folder with `feature_store.yaml`."""
        return self.project_dir / "feature_repo"

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking and registry URI: a SQLite file unless set otherwise."""
        return self.mlflow_uri or f"sqlite:///{self.home_dir / 'mlflow.db'}"


def find_project_dir(start: Path) -> Path:
    """The nearest folder at or above `start` that has `feature_repo/feature_store.yaml`.

    Raises:
        LockstepError: there is none up to the root.
    """
    for folder in (start, *start.parents):
        if (folder / "feature_repo" / "feature_store.yaml").is_file():
            return folder
    raise LockstepError(
        f"{start} is not inside a Lockstep project (no feature_repo/feature_store.yaml above it)",
        next_step="change into the project's folder or set LOCKSTEP_PROJECT_DIR",
    )
