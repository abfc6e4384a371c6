"""Search strategies (survey, section 3): one file each, the file name is the public name."""
