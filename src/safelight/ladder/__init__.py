"""The ladder VAE: torch modules that know neither files nor pixels."""
