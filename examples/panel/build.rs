fn main() {
    keyturn_words::build::catalogue("words");
}
