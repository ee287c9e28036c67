"""y = D(x; θ, rng): how pictures go bad, drawn from ranges, recorded and replayed exactly."""

from safelight.degrade.chain import BOUNDS, DEGRADATIONS, Bounds, Chain, DegradeRecord, DegradeStep, draw, replay

__all__ = ["BOUNDS", "DEGRADATIONS", "Bounds", "Chain", "DegradeRecord", "DegradeStep", "draw", "replay"]
