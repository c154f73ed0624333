//! Nothing of its own: the examples are beside this file.
