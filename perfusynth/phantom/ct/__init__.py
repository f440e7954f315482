"""Non-contrast CT and CT angiography: scanners, noise, attenuation."""
