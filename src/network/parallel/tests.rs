//! What a divided network promises, whoever the nodes are.
