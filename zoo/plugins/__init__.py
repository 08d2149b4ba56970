"""The plugin host: finds plugins, knows the owner of each model, and calls hooks on it."""
