"""Makes MLflow's account `reader`, and the models it will read; run with the writer's account."""

from __future__ import annotations

import os

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.server.auth.client import AuthServiceClient

from serving.use_cases import USE_CASES

READER = "reader"
TAKEN = "RESOURCE_ALREADY_EXISTS"


def main() -> None:
    """Returns once the account has today's password and each use case has a model, if empty.

    Of a model that is not there the reader would be told that it may not ask.
    """
    uri, password = os.environ["LOCKSTEP_MLFLOW_URI"], os.environ["MLFLOW_READER_PASSWORD"]
    accounts, models = AuthServiceClient(uri), MlflowClient(uri, uri)
    try:
        accounts.create_user(READER, password)
    except MlflowException as error:
        if error.error_code != TAKEN:
            raise
        accounts.update_user_password(READER, password)
    there = {model.name for model in models.search_registered_models(max_results=1000)}
    for name in USE_CASES.keys() - there:
        models.create_registered_model(name)


if __name__ == "__main__":
    main()
