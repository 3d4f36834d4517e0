"""Many annotators at once, in processes that are killed, checked by what they wrote down."""
