"""Where the brain is in a head CT: the methods by name, TotalSegmentator as a program, the mask as a file."""
