"""Sources with rows: parquet files, datasets on the Hub or saved by ``datasets``, npz files."""
