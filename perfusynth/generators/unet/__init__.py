"""Plain UNets, the baselines beside the pix2pix-turbo family: regression of maps, or segmentation of the region."""
