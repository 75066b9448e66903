"""Names → folders, cards, uploads: the only room that talks to the Hugging Face Hub."""
