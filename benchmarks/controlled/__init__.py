"""A controlled experiment: what face, context, attention, fusion and hiding are each worth."""
