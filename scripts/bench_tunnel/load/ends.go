package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
)

// The first byte on a connection says what its target does.
const (
	asksForEcho = 'e'
	asksForMore = 'd'
	sendsMore   = 'u'
)

const (
	messageBytes = 64
	pieceBytes   = 65536
)

func serveTarget() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(os.Stdout, listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go answer(conn)
	}
}

func answer(conn net.Conn) {
	defer conn.Close()
	asked := make([]byte, 1)
	if _, err := io.ReadFull(conn, asked); err != nil {
		return
	}
	switch asked[0] {
	case asksForMore:
		piece := make([]byte, pieceBytes)
		for {
			if _, err := conn.Write(piece); err != nil {
				return
			}
		}
	case sendsMore:
		_, _ = io.Copy(io.Discard, conn)
	case asksForEcho:
		message := make([]byte, messageBytes)
		for {
			if _, err := io.ReadFull(conn, message); err != nil {
				return
			}
			if _, err := conn.Write(message); err != nil {
				return
			}
		}
	}
}

// Way leads through a tunnel: by SOCKS5, or by a port that is the target's.
type Way struct {
	at, target string
	socks      bool
}

func (w Way) dial() (net.Conn, error) {
	conn, err := net.Dial("tcp", w.at)
	if err != nil || !w.socks {
		return conn, err
	}
	if err := w.ask(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// RFC 1928: no authentication, CONNECT, the address as a name.
func (w Way) ask(conn net.Conn) error {
	host, digits, err := net.SplitHostPort(w.target)
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return err
	}
	reply := make([]byte, 10)
	if _, err := conn.Write([]byte{5, 1, 0}); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, reply[:2]); err != nil {
		return err
	}
	request := append([]byte{5, 1, 0, 3, byte(len(host))}, host...)
	if _, err := conn.Write(binary.BigEndian.AppendUint16(request, uint16(port))); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, reply); err != nil {
		return err
	}
	if reply[1] != 0 {
		return fmt.Errorf("SOCKS5 reply %d", reply[1])
	}
	return nil
}
