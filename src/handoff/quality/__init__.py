"""How good predictions are on public conversations that nobody here wrote: one module a set, one table of all."""
