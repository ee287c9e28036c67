"""y = D(x; θ, rng): how pictures go bad, drawn from ranges, recorded and replayed exactly."""

from safelight.degrade.chain import DEGRADATIONS, Chain, DegradeRecord, DegradeStep, draw, replay

__all__ = ["DEGRADATIONS", "Chain", "DegradeRecord", "DegradeStep", "draw", "replay"]
