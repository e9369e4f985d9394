// Placeholder so that the package resolves; replaced by the first real file.
