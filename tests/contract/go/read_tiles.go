// Reads a log through its tiles with golang.org/x/mod alone: the checkpoint by the key given, then
// for each older size the tree of that size, the proof between both, and a leaf from its bundle.
package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const leafBytes = 116

type tiles struct{ url string }

func (t tiles) Height() int { return 8 }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) (found [][]byte, err error) {
	for _, tile := range wanted {
		// Go's path says the height first, which is always 8 in c2sp.org/tlog-tiles.
		data := t.get(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		found = append(found, data)
	}
	return found, nil
}

func (t tiles) get(path string) []byte {
	response, err := http.Get(t.url + "/" + path)
	refuse(err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	refuse(err)
	if response.StatusCode != http.StatusOK {
		refuse(fmt.Errorf("%s: %s", path, response.Status))
	}
	return data
}

func (t tiles) leaf(index, size int64) []byte {
	tile := tlog.Tile{H: 8, L: 0, N: index / 256, W: 256}
	if size-tile.N*256 < 256 {
		tile.W = int(size - tile.N*256)
	}
	data := t.get(strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1))
	if len(data) != tile.W*(2+leafBytes) {
		refuse(fmt.Errorf("a bundle of %d has %d bytes", tile.W, len(data)))
	}
	end := int(index%256+1) * (2 + leafBytes)
	return data[end-leafBytes : end]
}

func main() {
	from := tiles{os.Args[1]}
	verifier, err := note.NewVerifier(os.Args[2])
	refuse(err)
	tree := open(string(from.get("checkpoint")), verifier)
	reader := tlog.TileHashReader(tree, from)
	count := 0
	for {
		var size int64
		if _, err := fmt.Scan(&size); err == io.EOF {
			break
		} else {
			refuse(err)
		}
		older, err := tlog.TreeHash(size, reader)
		refuse(err)
		proof, err := tlog.ProveTree(tree.N, size, reader)
		refuse(err)
		refuse(tlog.CheckTree(proof, tree.N, tree.Hash, size, older))
		record, err := tlog.ProveRecord(tree.N, size-1, reader)
		refuse(err)
		leaf := from.leaf(size-1, tree.N)
		refuse(tlog.CheckRecord(record, tree.N, tree.Hash, size-1, tlog.RecordHash(leaf)))
		count++
	}
	fmt.Println(tree.N, count)
}

func open(text string, verifier note.Verifier) (tree tlog.Tree) {
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	refuse(err)
	lines := strings.Split(opened.Text, "\n")
	_, err = fmt.Sscan(lines[1], &tree.N)
	refuse(err)
	hash, err := base64.StdEncoding.DecodeString(lines[2])
	refuse(err)
	copy(tree.Hash[:], hash)
	return tree
}

func refuse(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
