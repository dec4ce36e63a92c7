"""How the keys of a PopulateJob are shown, from its status: the same on every screen."""
