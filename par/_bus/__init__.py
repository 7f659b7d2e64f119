"""The event bus: what was recorded, brought to those who asked for it, without anybody waiting for them."""
