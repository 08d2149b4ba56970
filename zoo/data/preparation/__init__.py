"""From stored images to uint8 images of one shape: decoding, value ranges, transparency, sizes."""
