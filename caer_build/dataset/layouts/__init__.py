"""The forms in which a data set is given away; one file a form."""
