"""Where people look: fixations of an eye tracker, maps and masks made of them, and saliency metrics."""
