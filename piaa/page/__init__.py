"""``piaa open``: a photographer's page on this computer, to rate, compare, see and cull her photos."""
