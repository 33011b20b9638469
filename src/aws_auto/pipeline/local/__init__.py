"""The ports on one machine: a folder with Parquet files, content-addressed model files and one SQLite database."""
