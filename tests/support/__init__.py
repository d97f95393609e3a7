"""What tests share: packets, oracles and the two flavours of the engine."""
