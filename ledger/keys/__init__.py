"""Keys, certificates and signatures: the one door for cryptography."""
