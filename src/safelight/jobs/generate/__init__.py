"""The verb generate: new pictures of a VAE. `generate` has the function, `settings` what it takes."""
