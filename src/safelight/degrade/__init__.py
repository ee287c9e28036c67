"""y = D(x; θ, rng): how pictures go bad, drawn from ranges, recorded and replayed exactly."""

from safelight.degrade.chain import DEGRADATIONS, Chain, Record, Step, draw, replay

__all__ = ["DEGRADATIONS", "Chain", "Record", "Step", "draw", "replay"]
