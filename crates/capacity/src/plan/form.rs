//! A plan's question as it is asked: on the command line, in an address, in a form.
