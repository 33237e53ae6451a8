"""The service searched by itself: a scenario with markers, then a look at every place they could be left in."""
