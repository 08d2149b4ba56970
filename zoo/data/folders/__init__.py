"""Folders of images: their files, what their folders mean, masks and files of labels."""
