"""Families of networks (survey, section 2): one file each, plain ``nn.Module``s."""
