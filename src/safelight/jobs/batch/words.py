"""What several verbs say alike."""

OUT_OF_DISTRIBUTION = (
    "this picture is unlike the training pictures (out-of-distribution score {score:.2f}, limit 1): check the result"
)
