"""From results to tables, plots and files, with the published figures beside them."""
