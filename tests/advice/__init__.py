"""How right the advice is: real pieces are broken in known ways, and the advice must name what was done."""
