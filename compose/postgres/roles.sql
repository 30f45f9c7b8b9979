-- One role for each database, which is its own, and one that reads Feast's registry. Passwords are
-- files of secrets; psql reads them here, so that no command line shows them.
\set ON_ERROR_STOP on
-- An error tells the statement that failed, and a password stands in it: neither here nor in the log.
\set SHOW_CONTEXT never
SET log_error_verbosity TO terse;
\set mlflow `cat "${SECRETS_DIR:-/run/secrets}/postgres_mlflow_password"`
\set feast `cat "${SECRETS_DIR:-/run/secrets}/postgres_feast_password"`
\set feast_reader `cat "${SECRETS_DIR:-/run/secrets}/postgres_feast_reader_password"`
\set airflow `cat "${SECRETS_DIR:-/run/secrets}/postgres_airflow_password"`
SELECT set_config('password.mlflow', :'mlflow', false) IS NULL,
       set_config('password.feast', :'feast', false) IS NULL,
       set_config('password.feast_reader', :'feast_reader', false) IS NULL,
       set_config('password.airflow', :'airflow', false) IS NULL \g /dev/null

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['mlflow', 'feast', 'feast_reader', 'airflow'] LOOP
        IF current_setting('password.' || role) = '' THEN
            RAISE EXCEPTION 'the secret postgres_%_password is missing or empty', role;
        END IF;
        EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L', role, current_setting('password.' || role));
    END LOOP;
END
$$;

CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE feast OWNER feast;
CREATE DATABASE airflow OWNER airflow;
REVOKE ALL ON DATABASE mlflow, feast, airflow, postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE feast TO feast_reader;

\connect feast
GRANT USAGE ON SCHEMA public TO feast_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE feast IN SCHEMA public GRANT SELECT ON TABLES TO feast_reader;
