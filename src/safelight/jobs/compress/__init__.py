"""The verbs compress and decompress: pictures to .latent files and back."""
